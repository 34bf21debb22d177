// What PolicyCortex may do on the estate, granted once for a management group and all subscriptions under it:
//   az deployment mg create --management-group-id ID --location LOCATION --template-file infra/estate/main.bicep \
//     --parameters principalId=IDENTITY_PRINCIPAL_ID
// Reader lets it collect. Without `fix` it changes nothing; with it, it may write the types that the catalog's fixes write.
targetScope = 'managementGroup'

@description('The app\'s identity: the output IDENTITY_PRINCIPAL_ID of the deployment.')
param principalId string

@description('Let it carry out fixes that were approved.')
param fix bool = false

@description('Let it set tags too, which needs the right to write every type that has them.')
param fixTags bool = false

var reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
var operations = loadJsonContent('fix-operations.json')

resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(managementGroup().id, principalId, reader)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: tenantResourceId('Microsoft.Authorization/roleDefinitions', reader)
  }
}

resource fixes 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (fix) {
  name: guid(managementGroup().id, 'policycortex-fixes')
  properties: {
    roleName: 'PolicyCortex fixes (${managementGroup().name})'
    description: 'Writes the resource types that PolicyCortex fixes, and nothing else.'
    type: 'CustomRole'
    assignableScopes: [managementGroup().id]
    permissions: [{ actions: operations.fixes, notActions: [], dataActions: [], notDataActions: [] }]
  }
}

resource fixing 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (fix) {
  name: guid(managementGroup().id, principalId, 'policycortex-fixes')
  properties: { principalId: principalId, principalType: 'ServicePrincipal', roleDefinitionId: fixes.id }
}

resource tags 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (fixTags) {
  name: guid(managementGroup().id, 'policycortex-tags')
  properties: {
    roleName: 'PolicyCortex tags (${managementGroup().name})'
    description: 'Writes the resource types that PolicyCortex sets tags on.'
    type: 'CustomRole'
    assignableScopes: [managementGroup().id]
    permissions: [{ actions: operations.tags, notActions: [], dataActions: [], notDataActions: [] }]
  }
}

resource tagging 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (fixTags) {
  name: guid(managementGroup().id, principalId, 'policycortex-tags')
  properties: { principalId: principalId, principalType: 'ServicePrincipal', roleDefinitionId: tags.id }
}
