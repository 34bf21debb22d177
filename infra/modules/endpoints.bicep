// Private endpoints in the network's endpoint subnet, each with the DNS zone that its name is found in.
param location string
param tags object
param token string

@description('What to reach: {name: the group id of the private link, resourceId, zone}.')
param targets array

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' existing = {
  name: 'vnet-cortex-${token}'

  resource subnet 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [for target in targets: {
  name: target.zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [for (target, index) in targets: {
  parent: zones[index]
  name: 'cortex'
  location: 'global'
  tags: tags
  properties: { virtualNetwork: { id: network.id }, registrationEnabled: false }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [for target in targets: {
  name: 'pe-cortex-${toLower(target.name)}-${token}'
  location: location
  tags: tags
  properties: {
    subnet: { id: network::subnet.id }
    privateLinkServiceConnections: [
      {
        name: target.name
        properties: { privateLinkServiceId: target.resourceId, groupIds: [target.name] }
      }
    ]
  }
}]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (target, index) in targets: {
  parent: endpoints[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: 'zone', properties: { privateDnsZoneId: zones[index].id } }]
  }
}]
